/** The dashboards of `config/grafana/dashboards/`, by file name. */
import type { Dashboard } from '@grafana/schema'
import { FAULTS } from './faults.ts'
import { OVERVIEW } from './overview.ts'
import { PIPELINE } from './pipeline.ts'
import { RETURNS } from './returns.ts'
import { TOKENS } from './tokens.ts'

export const DASHBOARDS: Readonly<Record<string, Dashboard>> = {
  'overview.json': OVERVIEW,
  'apic.json': FAULTS,
  'job-returns.json': RETURNS,
  'vcd-tokens.json': TOKENS,
  'pipeline.json': PIPELINE,
}
