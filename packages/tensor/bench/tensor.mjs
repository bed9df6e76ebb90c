// A bench measures the built package, as its users import it; the type check sees the sources.
// oxlint-disable-next-line no-restricted-imports
export * from '@ii/tensor';
