/** Writes what comes from the code, schemas in `config/` and reference pages in `docs/`: `npm run generate`. A test fails when one is stale. */
import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../src/config/outline.ts'
import { sampleConfig } from '../src/config/sample.ts'
import { eventJsonSchema } from '../src/event-schema.ts'
import { DASHBOARDS } from './grafana/dashboards.ts'
import { configPage } from './reference/config.ts'
import { errorsPage } from './reference/errors.ts'
import { eventsPage } from './reference/events.ts'
import { metricsPage } from './reference/metrics.ts'

export interface Generated {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
}

/** What the generated files must hold. */
export function generated(): Generated[] {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  return [
    { path: 'config/opswire.example.yaml', text: sampleConfig() },
    { path: 'config/opswire.schema.json', text: json(configJsonSchema()) },
    { path: 'config/event.schema.json', text: json(eventJsonSchema()) },
    ...Object.entries(DASHBOARDS).map(([name, dashboard]) => ({
      path: `config/grafana/dashboards/${name}`,
      text: json(dashboard),
    })),
    { path: 'docs/CONFIG.md', text: configPage() },
    { path: 'docs/ERRORS.md', text: errorsPage() },
    { path: 'docs/METRICS.md', text: metricsPage() },
    { path: 'docs/EVENTS.md', text: eventsPage() },
  ]
}

if (import.meta.main) {
  for (const { path, text } of generated()) writeFileSync(new URL(`../${path}`, import.meta.url), text)
}
