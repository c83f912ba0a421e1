// Type-checks dashboards/chorus.json against the types of Grafana's own schema, panels' options and query fields included:
// npm install && npm test. TypeScript checks literals most strictly, so the JSON becomes one.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const json = readFileSync(new URL('dashboards/chorus.json', import.meta.url), 'utf8');
const file = new URL('node_modules/dashboard.ts', import.meta.url);
writeFileSync(
  file,
  `import type { Dashboard, DataQuery, Panel, RowPanel } from '@grafana/schema';
import type { FieldConfig, Options } from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen.d.ts';

// JSON has strings where the schema has enumerations.
type Plain<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Query = DataQuery & { expr: string; legendFormat: string };
type Graph = Omit<Panel<object, Partial<FieldConfig>>, 'type' | 'targets' | 'options'> & { type: 'timeseries'; description: string; options: Options; targets: Query[] };
type Row = Omit<RowPanel, 'type'> & { type: 'row' };

export const dashboard: Plain<Omit<Dashboard, 'panels'> & { panels: (Graph | Row)[] }> = ${json};
`,
);
const compiler = new URL('node_modules/typescript/bin/tsc', import.meta.url).pathname;
const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022'];
const { status } = spawnSync(process.execPath, [compiler, ...options, file.pathname], { stdio: 'inherit' });
process.exit(status ?? 1);
