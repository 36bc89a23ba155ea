import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['node_modules', 'src/api/schema.d.ts'] },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser } },
  },
  { files: ['**/*.svelte'], rules: { 'max-lines': ['error', 200] } },
  {
    // Drawing knows nothing of HTTP.
    files: ['src/canvas/**', 'src/timeline/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/api/*', '!**/api/types', 'openapi-fetch'] }] },
  },
  { files: ['src/**'], rules: { 'no-restricted-globals': ['error', 'confirm', 'alert', 'prompt'] } },
);
