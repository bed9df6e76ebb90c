/** Gives tests in a browser the environment variables that vitest.config.ts passes on: `@ii/tensor/testing` asks for them. */
const environment = (import.meta as unknown as { readonly env: Readonly<Record<string, string>> }).env;
Object.assign(globalThis, { process: { env: environment } });
