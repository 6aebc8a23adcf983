import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const path = (beside: string): string => fileURLToPath(new URL(beside, import.meta.url));

export default defineConfig({
  // Whatever path the server stands under, the page finds its files beside itself.
  base: "./",
  plugins: [react()],
  resolve: { alias: { "@idolchat/client": path("../client/src/index.ts") } },
  build: {
    outDir: process.env.OUT_DIR ?? "../src/idolchat_web/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // a picture in the script is one that is loaded for nobody
    reportCompressedSize: false,
    rollupOptions: {
      input: { index: path("index.html"), client: path("../client/src/index.ts") },
      // Pages of others load the client from here, by a name that stays.
      output: { entryFileNames: ({ name }) => (name === "client" ? "client.js" : "assets/[name]-[hash].js") },
      preserveEntrySignatures: "exports-only",
    },
  },
});
