/** The zoo in any environment; `@ii/zoo` needs Node only for what its functions say so about. */
export { openCheckpoint, type Checkpoint } from './checkpoint.js';
export { UnknownCheckpointError } from './checkpoint-kind.js';
export { classTable, type ClassTable } from './class-names.js';
export { parseConfig, readConfigFile, type ModelFile } from './config-file.js';
export { inferConfig, type ConfigSource, type InferredConfig } from './infer-config.js';
export { ConfigFileError } from './json-file.js';
export { demoModel } from './models/demo.js';
export { demoWeightsUrl, openDemoCheckpoint, type DemoCheckpointOptions } from './models/demo-checkpoint.js';
export type { InputSize, ModelFiles, PublishedResults, TestScale, ZooModel } from './models/model.js';
export { officialModels } from './models/official.js';
export type { OfficialTraining, TrainingRecipe } from './models/training-recipe.js';
export { readPth, type PlainObject, type PlainValue, type PthFile } from './pth/index.js';
export { countModel, findModel, getModel, UnknownModelError, zooModels, type ModelCounts } from './registry.js';
export * from './training/index.js';
