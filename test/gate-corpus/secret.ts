/** A value that the house of the bench knows as a secret: a case that writes it down must be stopped. It opens nothing. */
export const corpusSecret = "corpus-live-5f2a9c1e77d04b63a8";
