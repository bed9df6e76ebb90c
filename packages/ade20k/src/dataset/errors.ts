import { IIError } from '@ii/tensor';

/** A data set cannot be opened: a folder is missing or empty, or its description makes no sense. */
export class DatasetError extends IIError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DATASET', message, options);
  }
}

/** One entry of a data set is unusable: a missing, unreadable or wrong file. A loader can skip it. */
export class SampleError extends IIError {
  constructor(
    message: string,
    /** The file at fault. */
    readonly file: string,
    options?: ErrorOptions,
  ) {
    super('ERR_SAMPLE', message, options);
  }
}
