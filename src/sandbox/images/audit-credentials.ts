/** What looks like a credential, by name or by content. The answer says what kind it is and never the value. */

const fileNames: readonly [RegExp, string][] = [
  [/\/(?:id_rsa|id_dsa|id_ecdsa|id_ed25519)$/, "an SSH private key"],
  [/\/\.(?:netrc|pgpass|pypirc|git-credentials|my\.cnf)$/, "a file of passwords"],
  [
    /\/\.(?:docker\/config\.json|aws\/credentials|kube\/config|config\/gcloud\/.+|azure\/.+)$/,
    "a client's credentials",
  ],
  [/\/\.(?:bash|zsh|sh|ash|python|node_repl|mysql|psql)_history$/, "a shell's history"],
  [/\/\.env(?:\.(?:local|production|development))?$/, "an environment file"],
];

/** The kind of credential that a file of this name usually holds. */
export function credentialName(path: string): string | undefined {
  return fileNames.find(([pattern]) => pattern.test(path))?.[1];
}

const contents: readonly [RegExp, string][] = [
  // With a body: programs and documents name the first line alone.
  [/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+(?:[A-Za-z-]+: .*\s+)*[A-Za-z0-9+/=\s]{64}/, "a private key"],
  [/\bgh[pousr]_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}/, "a GitHub token"],
  [/\bglpat-[A-Za-z0-9_-]{20}\b/, "a GitLab token"],
  [
    /\bnpm_[A-Za-z0-9]{36}\b|:_(?:authToken|password|auth)\s*=\s*"?(?=[A-Za-z+/=_-]*\d)[A-Za-z0-9+/=_-]{16}/,
    "an npm token",
  ],
  [/\bsk-(?:ant|proj)-[A-Za-z0-9_-]{40,}/, "a model provider's key"],
  [/\bAIza[A-Za-z0-9_-]{35}\b/, "a Google API key"],
  [/\b(?:AKIA|ASIA)(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b/, "an AWS key id"],
  [/\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{20,}/, "a Slack token"],
];

/** The kind of credential that a text holds. */
export function credentialIn(text: string): string | undefined {
  return contents.find(([pattern]) => pattern.test(text))?.[1];
}

/** A variable whose name says that its value is secret, in an environment or a build step. */
export function namedSecret(text: string): string | undefined {
  const name =
    /\b([A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|PRIVATE_?KEY|CREDENTIALS?)[A-Z0-9_]*)=["']?[^\s"'$]{4}/i.exec(
      text,
    )?.[1];
  return name === undefined ? undefined : `a value for ${name}`;
}
