export * from './dcnv3';
export * from './gradient';
