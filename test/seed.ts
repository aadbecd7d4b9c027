/**
 * Properties are tried with a new seed in every run, so that they go on looking; where a submission is judged
 * (SALLYPORT_CI) always with the same one, so that the judgement can be had again. SALLYPORT_SEED=N chooses one.
 */
import fc from "fast-check";

const chosen = process.env["SALLYPORT_SEED"] ?? (process.env["SALLYPORT_CI"] ? "20260101" : undefined);
if (chosen !== undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(chosen) });
