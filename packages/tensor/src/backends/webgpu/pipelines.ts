import { KernelFailedError, type IIError } from '../../errors.js';
import type { PoolBuffer } from './buffer-pool.js';
import { computeStage } from './constants.js';
import type { WebGpuBinding, WebGpuShader } from './program.js';

/** How the buffers of a step are bound. */
export interface BindLayout {
  readonly id: number;
  readonly group: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** A shader that is being compiled, or was. */
export interface Pipeline {
  readonly name: string;
  readonly layout: BindLayout;
  /** Null until it is compiled, and when that failed. */
  compiled: GPUComputePipeline | null;
  failure: IIError | null;
  /** Resolves when it is compiled or has failed; null afterwards. */
  settled: Promise<void> | null;
}

interface KeptGroup {
  readonly group: GPUBindGroup;
  readonly buffers: readonly PoolBuffer[];
}

/** Bind groups kept for reuse: a training iteration of the largest models binds some ten thousand sets of buffers. */
const keptGroups = 32_768;

/** Compiles each shader once, in the background, and keeps bind groups. */
export class Pipelines {
  readonly #byShader = new Map<WebGpuShader, Pipeline>();
  readonly #bySource = new Map<string, Pipeline>();
  readonly #layouts = new Map<string, BindLayout>();
  readonly #groups = new Map<string, KeptGroup>();
  /** The keys of the groups that a buffer is in. */
  readonly #groupsOf = new Map<PoolBuffer, Set<string>>();
  /** Of every shader's uniform words: one range of the arena, at an offset of each dispatch's own. */
  readonly uniformLayout: GPUBindGroupLayout;

  constructor(private readonly device: GPUDevice) {
    const buffer = { type: 'uniform', hasDynamicOffset: true } as const;
    this.uniformLayout = device.createBindGroupLayout({
      entries: [{ binding: 0, visibility: computeStage, buffer }],
    });
  }

  /** The pipeline of a shader, which starts to compile when it is first asked for. */
  get(shader: WebGpuShader, bindings: readonly WebGpuBinding[], uniforms: boolean): Pipeline {
    let pipeline = this.#byShader.get(shader);
    if (pipeline) return pipeline;
    const access = bindings.map((binding) => (binding.access === 'read' ? 'r' : 'w')).join('');
    const layoutKey = uniforms ? `${access}u` : access;
    const key = `${layoutKey}\n${shader.code}`;
    pipeline = this.#bySource.get(key) ?? this.#compile(shader, this.#layout(layoutKey, access, uniforms));
    this.#bySource.set(key, pipeline);
    this.#byShader.set(shader, pipeline);
    return pipeline;
  }

  bindGroup(layout: BindLayout, buffers: readonly PoolBuffer[]): GPUBindGroup {
    let key = String(layout.id);
    for (const { id } of buffers) key += `,${id}`;
    const kept = this.#groups.get(key);
    if (kept) return kept.group;
    const group = this.device.createBindGroup({
      layout: layout.group,
      entries: buffers.map(({ gpu }, binding) => ({ binding, resource: { buffer: gpu } })),
    });
    if (this.#groups.size >= keptGroups) {
      this.#groups.clear();
      this.#groupsOf.clear();
    }
    this.#groups.set(key, { group, buffers });
    for (const buffer of buffers) {
      const keys = this.#groupsOf.get(buffer);
      if (keys) keys.add(key);
      else this.#groupsOf.set(buffer, new Set([key]));
    }
    return group;
  }

  /** Lets go of the bind groups of a buffer that was destroyed. */
  dropGroups(destroyed: PoolBuffer): void {
    for (const key of this.#groupsOf.get(destroyed) ?? []) {
      for (const buffer of this.#groups.get(key)!.buffers)
        if (buffer !== destroyed) this.#groupsOf.get(buffer)!.delete(key);
      this.#groups.delete(key);
    }
    this.#groupsOf.delete(destroyed);
  }

  #compile(shader: WebGpuShader, layout: BindLayout): Pipeline {
    const { device } = this;
    const { name } = shader;
    const pipeline: Pipeline = { name, layout, compiled: null, failure: null, settled: null };
    device.pushErrorScope('validation');
    const module = device.createShaderModule({ label: name, code: shader.code });
    const invalid = device.popErrorScope();
    const compiling = device.createComputePipelineAsync({
      label: name,
      layout: layout.pipeline,
      compute: { module, entryPoint: 'main' },
    });
    pipeline.settled = Promise.allSettled([compiling, invalid]).then(([made, scope]) => {
      if (made.status === 'fulfilled') pipeline.compiled = made.value;
      else {
        const detail = scope.status === 'fulfilled' && scope.value ? scope.value.message : String(made.reason);
        pipeline.failure = new KernelFailedError(name, detail);
      }
      pipeline.settled = null;
    });
    return pipeline;
  }

  #layout(key: string, access: string, uniforms: boolean): BindLayout {
    let layout = this.#layouts.get(key);
    if (!layout) {
      const group = this.device.createBindGroupLayout({
        entries: [...access].map((a, binding) => ({
          binding,
          visibility: computeStage,
          buffer: { type: a === 'r' ? 'read-only-storage' : 'storage' },
        })),
      });
      const bindGroupLayouts = uniforms ? [group, this.uniformLayout] : [group];
      const pipeline = this.device.createPipelineLayout({ bindGroupLayouts });
      layout = { id: this.#layouts.size, group, pipeline };
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}
