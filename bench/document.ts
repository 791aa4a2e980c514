/** docs/BENCHMARKS.md and docs/benchmarks.json: the figures last measured, and the tables made of them. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { block } from './report.ts'
import { fromJson, PARTS, type Result, toJson } from './result.ts'

const ROOT = resolve(import.meta.dirname, '..')
export const DOCUMENT = join(ROOT, 'docs', 'BENCHMARKS.md')
export const FIGURES = join(ROOT, 'docs', 'benchmarks.json')

/** The figures in the file; none when there is no such file. */
export function recordedFigures(): Result {
  return existsSync(FIGURES) ? fromJson(readFileSync(FIGURES, 'utf8')) : {}
}

/** Each part that was measured takes the place of the one before; the tables of the document are made anew. */
export function writeDocuments(measured: Result): void {
  const all: Result = { ...recordedFigures(), ...measured }
  const text = toJson(Object.fromEntries(PARTS.flatMap(part => (all[part] === undefined ? [] : [[part, all[part]]]))))
  writeFileSync(FIGURES, text)
  writeFileSync(DOCUMENT, withTables(readFileSync(DOCUMENT, 'utf8'), fromJson(text)))
}

/** The document with the tables of these figures between its marks. Throws when a part has no place in it. */
export function withTables(document: string, result: Result): string {
  let text = document
  for (const part of PARTS) {
    const [begin, end] = [`<!-- bench:${part} -->\n`, `\n<!-- /bench:${part} -->`]
    const from = text.indexOf(begin)
    const to = text.indexOf(end, from)
    if (from < 0 || to < 0) throw new Error(`the document has no place for ${part}`)
    text = `${text.slice(0, from + begin.length)}${block(result, part)}${text.slice(to)}`
  }
  return text
}

/** The commit that is measured, with a `+` when something in the work tree differs from it; `unknown` outside a repository. */
export function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' }).trim()
  try {
    const isClean = git('status', '--porcelain', '--', 'src', 'package-lock.json') === ''
    return `${git('rev-parse', '--short', 'HEAD')}${isClean ? '' : '+'}`
  } catch {
    return 'unknown'
  }
}
