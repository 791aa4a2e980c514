/**
 * `npm run audit`: known weaknesses of the dependencies, as the registry tells them. Fails for each that it names. A registry that does
 * not answer the question (many mirrors don't) prints NOT RUN: that says nothing about opswire, so it fails nothing.
 */
import { spawnSync } from 'node:child_process'

interface Report {
  readonly error?: { readonly summary?: string }
  readonly message?: string
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>
}

export interface Verdict {
  readonly code: 0 | 1
  readonly text: string
}

/** What `npm audit --json` amounts to. */
export function judge(output: string): Verdict {
  let report: Report
  try {
    report = JSON.parse(output) as Report
  } catch {
    return { code: 0, text: 'NOT RUN: npm audit: no answer that can be read' }
  }
  if (report.vulnerabilities === undefined) {
    const why = report.message ?? report.error?.summary ?? 'the registry does not answer'
    return { code: 0, text: `NOT RUN: npm audit: ${why.split(' - ')[0]}` }
  }
  const found = Object.entries(report.vulnerabilities)
  if (found.length === 0) return { code: 0, text: 'npm audit: nothing known' }
  const lines = found.map(([name, { severity, range }]) => `  ${name} ${range}: ${severity}`)
  return { code: 1, text: `npm audit: ${found.length} known weaknesses\n${lines.join('\n')}` }
}

if (import.meta.main) {
  // npm's own patience is half an hour for a registry that is there and says nothing; and a long list must not be cut.
  const args = ['audit', '--json', '--fetch-retries=1', '--fetch-timeout=60000']
  const asked = spawnSync('npm', args, { encoding: 'utf8', maxBuffer: 1 << 26 })
  const { code, text } = judge(asked.stdout)
  process.stdout.write(`${text}\n`)
  process.exitCode = code
}
