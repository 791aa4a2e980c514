/** `opswire check --connect`: logs in everywhere, asks a little, looks at the stream, and says out of everything what would work. */
import { constants } from 'node:fs'
import { access, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../config/schema.ts'
import type { SourceConfig } from '../config/sources.ts'
import { Fatal } from '../errors.ts'
import { probeListen } from '../ops/listen-probe.ts'
import { Probe, type ProbeStep } from '../probe.ts'
import type { Report } from '../report.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { probeNats } from '../sinks/nats-probe.ts'
import { Paces } from '../subscribers/apic/pace.ts'
import { probeApic } from '../subscribers/apic/probe.ts'
import { probeRaas } from '../subscribers/raas/probe.ts'
import { probeVcd } from '../subscribers/vcd/probe.ts'
import { cellText } from './cells.ts'
import type { CliIo } from './io.ts'
import { stopSignals } from './signals.ts'

/** What was tried: a source's address, NATS, this machine. */
export interface Part {
  readonly name: string
  readonly kind: SourceConfig['kind'] | 'nats' | 'here'
  readonly address: string
  readonly steps: ProbeStep[]
}

export interface Connected {
  readonly parts: readonly Part[]
  /** Ctrl-C came: not everything was tried. */
  readonly interrupted: boolean
}

/** Everything at once, in each source one step after the other. Never rejects. */
export async function connectAll(config: Config, io: CliIo): Promise<Connected> {
  const clock = io.clock ?? systemClock
  const signals = io.signal === undefined ? stopSignals() : undefined
  const over = new AbortController()
  const onStop = (): void => over.abort(new Fatal('config', 'interrupted'))
  const stop = io.signal ?? signals?.stop
  stop?.addEventListener('abort', onStop, { once: true })
  const progress = new Progress(io)
  const parts: Part[] = []
  const part = (name: string, kind: Part['kind'], address: string): Probe => {
    const steps: ProbeStep[] = []
    parts.push({ name, kind, address, steps })
    return new Probe({
      signal: over.signal,
      now: () => clock.now(),
      onBegin: step => progress.begin(`${name}: ${step}`),
      onStep: step => {
        steps.push(step)
        progress.end(`${name}: ${step.name}`)
      },
    })
  }
  const deps = { clock, report: ignore, signal: over.signal, paces: new Paces() }
  try {
    await Promise.all([
      here(config, part('this machine', 'here', config.http.listen)),
      ...config.sources.map(source => probeSource(source, config, deps, part)),
      ...(config.nats === undefined
        ? []
        : [probeNats(config.nats, deps, part('nats', 'nats', config.nats.servers.join(', ')))]),
    ])
  } finally {
    stop?.removeEventListener('abort', onStop)
    signals?.forget()
  }
  return { parts: inOrder(parts, config), interrupted: over.signal.aborted }
}

interface Deps {
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  readonly paces: Paces
}

const ignore: Report = () => undefined

async function probeSource(
  config: SourceConfig,
  { state_dir: stateDir }: Config,
  { paces, ...deps }: Deps,
  part: (name: string, kind: Part['kind'], address: string) => Probe,
): Promise<void> {
  switch (config.kind) {
    case 'apic':
      return probeApic({ ...deps, config, paces }, address => part(config.name, 'apic', address))
    case 'raas':
      return probeRaas(config, { ...deps }, part(config.name, 'raas', config.url))
    case 'vcd':
      // A token that rotates is kept there: the daemon need not have run yet. What is wrong with it, the login tells.
      if (stateDir !== undefined) await mkdir(stateDir, { mode: 0o700 }).catch(() => undefined)
      return probeVcd(config, { ...deps, stateDir }, part(config.name, 'vcd', config.url))
  }
}

async function here(config: Config, probe: Probe): Promise<void> {
  await probe.step('http.listen', () => probeListen(config.http))
  const { state_dir } = config
  if (state_dir !== undefined) await probe.step('state_dir', () => writable(state_dir))
}

/** It is made, with what leads to it, when it is not there. */
async function writable(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await access(at, constants.W_OK | constants.X_OK)
      return at === path ? path : `${path}, to be made`
    } catch (error) {
      const isMissing = (error as { code?: unknown }).code === 'ENOENT'
      if (!isMissing || at === dirname(at)) throw new Fatal('store', `${at} can't be written by this user`)
    }
  }
}

function inOrder(parts: readonly Part[], config: Config): Part[] {
  const names = ['this machine', ...config.sources.map(source => source.name), 'nats']
  return parts.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name))
}

/** What goes on now, on a terminal: one line that is written over. */
class Progress {
  readonly #io: CliIo
  readonly #running = new Set<string>()

  constructor(io: CliIo) {
    this.#io = io
  }

  begin(text: string): void {
    this.#running.add(text)
    this.#draw()
  }

  end(text: string): void {
    this.#running.delete(text)
    this.#draw()
  }

  #draw(): void {
    if (this.#io.stderrIsTty !== true) return
    const line = cellText([...this.#running].join(', ')).slice(0, Math.max(10, this.#io.columns - 4))
    this.#io.stderr.write(`\r\x1b[K${line === '' ? '' : `${line} …`}`)
  }
}
