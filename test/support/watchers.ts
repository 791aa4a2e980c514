/** Real Prometheus and Alertmanager for tests, on free ports, with their data in a folder that goes with them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { ToolName } from '../../src/tools/catalogue.ts'
import { resolveTool } from '../../src/tools/resolve.ts'
import { untilAnswered } from './asked.ts'

export interface RunningTool {
  readonly url: string
  /** The last lines that it wrote. */
  readonly log: readonly string[]
  close(): Promise<void>
}

/**
 * The path of a tool. When it can't be had the caller's test is not run: that is printed, counted as skipped, and a failure under
 * OPSWIRE_REQUIRE_TOOLS=1.
 */
export async function toolBinary(name: ToolName, skip: (note: string) => never): Promise<string> {
  const found = await resolveTool(name)
  if ('path' in found) return found.path
  const note = `NOT RUN: ${found.missing}`
  process.stderr.write(`${note}\n`)
  if (process.env['OPSWIRE_REQUIRE_TOOLS'] === '1') throw new Error(note)
  return skip(note)
}

/** `config` as its file has it. Resolves when it answers that it is ready. */
export function startPrometheus(binary: string, config: object): Promise<RunningTool> {
  return start(binary, config, (file, folder, address) => [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
  ])
}

export function startAlertmanager(binary: string, config: object): Promise<RunningTool> {
  return start(binary, config, (file, folder, address) => [
    `--config.file=${file}`,
    `--storage.path=${join(folder, 'data')}`,
    `--web.listen-address=${address}`,
    // Alone: it waits for no peers, and opens no port for them.
    '--cluster.listen-address=',
  ])
}

async function start(
  binary: string,
  config: object,
  argumentsFor: (file: string, folder: string, address: string) => string[],
): Promise<RunningTool> {
  const folder = mkdtempSync(join(tmpdir(), 'opswire-monitoring-'))
  const file = join(folder, 'config.yml')
  writeFileSync(file, stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const program = withoutSystemFiles(binary, folder)
  const child = spawn(program, argumentsFor(file, folder, address), {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const log: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log.push(...text.trimEnd().split('\n'))
    log.splice(0, log.length - 100)
  })
  const url = `http://${address}`
  const close = async (): Promise<void> => {
    await ended(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const ready = async (): Promise<boolean> => child.exitCode !== null || (await fetch(`${url}/-/ready`)).ok
    await untilAnswered(ready, over => over, `${binary} ready`)
    if (child.exitCode !== null) throw new Error(`${binary} ended: ${log.slice(-5).join(' | ')}`)
    return { url, log, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Where Debian's Alertmanager reads its templates; other builds have them inside. */
const TEMPLATES = '/usr/share/prometheus/alertmanager'

/** The program itself; of Debian's Alertmanager a copy that looks for its templates in `folder`, and finds empty ones: no receiver of ours uses them. */
function withoutSystemFiles(binary: string, folder: string): string {
  const program = readFileSync(binary)
  if (!program.includes(`${TEMPLATES}`) || !binary.endsWith('alertmanager')) return binary
  // As long as the one that it takes the place of: strings lie packed in the program.
  const here = Buffer.from('/proc/self/cwd'.padEnd(TEMPLATES.length, '/'))
  for (let at = program.indexOf(TEMPLATES); at >= 0; at = program.indexOf(TEMPLATES, at + 1)) here.copy(program, at)
  const copy = join(folder, 'alertmanager')
  writeFileSync(copy, program, { mode: 0o700 })
  for (const name of ['default.tmpl', 'email.tmpl']) writeFileSync(join(folder, name), '')
  return copy
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}
