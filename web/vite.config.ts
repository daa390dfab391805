/** How the page is built and tested. Knows no screen. The dev server hands /api to a running `imfine up`. */
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.IMFINE_DEV_SERVER ?? "http://127.0.0.1:7878";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    assetsInlineLimit: 0, // a data: font or image would need a wider content security policy
    target: "es2023",
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600, // react-dom is most of the first chunk
  },
  server: { proxy: { "/api": { target: server, changeOrigin: true, headers: { origin: server } } } },
  test: {
    environment: "jsdom",
    environmentOptions: { jsdom: { url: "http://127.0.0.1:7878/" } },
    alias: {
      // one file instead of six thousand
      "@tabler/icons-react": fileURLToPath(
        new URL("./node_modules/@tabler/icons-react/dist/cjs/tabler-icons-react.cjs", import.meta.url),
      ),
    },
    testTimeout: 15_000,
    setupFiles: ["src/test/setup.ts"],
    include: ["src/**/*.test.{ts,tsx}"],
    css: { modules: { classNameStrategy: "non-scoped" } },
    restoreMocks: true,
  },
});
