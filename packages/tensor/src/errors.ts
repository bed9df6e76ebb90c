/**
 * Every error this project throws on purpose is an {@link IIError}: it has a stable `code`, and its message names the
 * value at fault, what was expected and what to do.
 */
export class IIError extends Error {
  /** Stable identifier for programs, for example `ERR_SHAPE`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** An argument has a shape, size or option value that the operation cannot take. */
export class ShapeError extends IIError {
  constructor(message: string) {
    super('ERR_SHAPE', message);
  }
}

/** An argument has an element type that the operation cannot take. */
export class DTypeError extends IIError {
  constructor(message: string) {
    super('ERR_DTYPE', message);
  }
}

/** Tensors of different devices were put into one operation. */
export class DeviceMismatchError extends IIError {
  constructor(message: string) {
    super('ERR_DEVICE_MISMATCH', message);
  }
}

/** A tensor or device was used after it was disposed of. */
export class DisposedError extends IIError {
  constructor(message: string) {
    super('ERR_DISPOSED', message);
  }
}

/** A computation produced, or was given, a number that is not finite. */
export class NumericsError extends IIError {
  /** @param where the first tensor that is not finite. */
  constructor(readonly where: string) {
    super('ERR_NUMERICS', `NaN or infinity: first seen in ${where}`);
  }
}

/** A kernel has no implementation for the device that was asked to run it. */
export class UnsupportedKernelError extends IIError {
  constructor(
    readonly kernel: string,
    readonly device: string,
  ) {
    super(
      'ERR_UNSUPPORTED_KERNEL',
      `kernel '${kernel}' has no implementation for device '${device}'; use another device, or add a '${device}' entry to its defineKernel`,
    );
  }
}

/** A device was asked for that does not exist here. */
export class DeviceUnavailableError extends IIError {
  constructor(
    readonly device: string,
    reason: string,
  ) {
    super('ERR_DEVICE_UNAVAILABLE', `device '${device}' is not available: ${reason}`);
  }
}

/** A request does not fit the memory of the device; nothing was allocated. */
export class OutOfMemoryError extends IIError {
  constructor(
    readonly need: number,
    readonly have: number,
    message: string,
  ) {
    super('ERR_OUT_OF_MEMORY', message);
  }
}

/** A request is beyond a limit of the device; nothing was allocated. */
export class LimitExceededError extends IIError {
  constructor(
    /** The limit's name in the device's API, for example `maxStorageBufferBindingSize`. */
    readonly limit: string,
    /** Both in the unit of the limit: bytes for sizes. */
    readonly need: number,
    readonly have: number,
    advice: string,
  ) {
    super('ERR_LIMIT', `${limit}: this needs ${need}, and the device has ${have}; ${advice}`);
  }
}

/** A GPU was reset, removed or taken away; the tensors on it are gone. */
export class DeviceLostError extends IIError {
  constructor(
    readonly device: string,
    reason: string,
  ) {
    super(
      'ERR_DEVICE_LOST',
      `the ${device} device was lost (${reason}) and its tensors with it; make a new device with createDevice and move the models to it (a Segmentor's recover() does both)`,
    );
  }
}

/** A kernel failed to compile or while it ran: a defect of the kernel or the driver, not of the caller's data. */
export class KernelFailedError extends IIError {
  constructor(
    readonly kernel: string,
    reason: string,
  ) {
    super('ERR_KERNEL_FAILED', `kernel function '${kernel}' failed: ${reason}`);
  }
}

/** A file or buffer does not have the format it should have. */
export class FormatError extends IIError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_FORMAT', message, options);
  }
}
