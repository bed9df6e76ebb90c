export * from './fill';
export * from './gemm';
export * from './gemm-pack';
export * from './depthwise';
