import { defineConfig } from "vitest/config";

// Pure functions run in plain node; a view's test asks for a document with a first-line comment.
export default defineConfig({ test: { include: ["tests/**/*.test.ts"], environment: "node" } });
