export * from './dcnv3';
