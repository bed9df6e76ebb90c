/**
 * Promises of the GPU's that a caller waits for. When the device goes away they may reject with an error of the API's
 * own, late or never; here they reject at once with the reason.
 */
export class PendingPromises {
  readonly #rejects = new Set<(error: Error) => void>();

  /** @param ended the reason why the device is gone, if it is. */
  guard<T>(promise: Promise<T>, ended: () => Error | null): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#rejects.add(reject);
      promise.then(
        (value) => {
          this.#rejects.delete(reject);
          resolve(value);
        },
        (error: unknown) => {
          // The news of the loss may come after the failures that it causes.
          setTimeout(() => {
            this.#rejects.delete(reject);
            reject(ended() ?? (error instanceof Error ? error : new Error(String(error))));
          });
        },
      );
    });
  }

  rejectAll(error: Error): void {
    for (const reject of this.#rejects) reject(error);
    this.#rejects.clear();
  }
}
