import type { Module } from '../nn/module.js';
import type { Tensor } from '../tensor.js';
import { record } from './record.js';

/**
 * Computes a scalar loss and adds its gradients to the `gradient` of every trainable parameter of `module`.
 *
 * @param body the loss, `[]`.
 * @returns the loss; the caller's.
 * @throws ShapeError when the loss is no scalar; IIError when a parameter has no value.
 */
export function backward(module: Module, body: () => Tensor): Tensor {
  const parameters = [...module.namedParameters()].map(([, parameter]) => parameter).filter((p) => p.trainable);
  const { value, backward: run } = record(
    body,
    parameters.map((parameter) => parameter.tensor),
  );
  run(value).forEach((gradient, i) => gradient && parameters[i]!.addGradient(gradient));
  return value;
}
