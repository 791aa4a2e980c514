/** The shipped alert rules as they are read, and as they run where nobody can wait for minutes. */
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'

const SHIPPED = resolve(import.meta.dirname, '../../config/prometheus')

export interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<'summary' | 'description' | 'runbook_url', string>>
}

/** All of them, in the order of the file. */
export function readRules(): Rule[] {
  const { groups } = parse(shipped('opswire.rules.yaml')) as { groups: { rules: Rule[] }[] }
  return groups.flatMap(group => group.rules)
}

export function shipped(name: string): string {
  return readFileSync(join(SHIPPED, name), 'utf8')
}
