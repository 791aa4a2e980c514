/** A real Prometheus and a real Alertmanager, for tests. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/scheduler/clock.ts'
import { Program } from '../../src/tools/program.ts'
import { until } from './manual-clock.ts'
import { toolBinary } from './tools.ts'

export interface Watching {
  readonly url: string
  readonly log: readonly string[]
  /** Stops it and deletes what it kept. */
  remove(): Promise<void>
}

export interface WatcherOptions {
  readonly binary: string
  /** By name, side by side in a folder of their own. */
  readonly files: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}

/** Watches as `prometheus.yml` of `files` says. Resolves when it can be asked. */
export function startPrometheus(options: WatcherOptions): Promise<Watching> {
  return start('Prometheus', options, /Server is ready to receive web requests/, folder => [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
  ])
}

/** Sends as `alertmanager.yml` of `files` says. Resolves when it can be asked. */
export function startAlertmanager(options: WatcherOptions): Promise<Watching> {
  return start('Alertmanager', options, /msg="?Listening on/, folder => [
    `--config.file=${folder}/alertmanager.yml`,
    `--storage.path=${folder}/data`,
    '--cluster.listen-address=',
  ])
}

/** An Alertmanager that tells nobody. */
export async function quietAlertmanager(missing: (note: string) => never): Promise<Watching> {
  return startAlertmanager({
    binary: await toolBinary('alertmanager', {}, missing),
    files: { 'alertmanager.yml': 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n' },
  })
}

async function start(
  name: string,
  { binary, files, args = [] }: WatcherOptions,
  ready: RegExp,
  own: (folder: string) => string[],
): Promise<Watching> {
  const folder = mkdtempSync(join(tmpdir(), `opswire-${name.toLowerCase()}-`))
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text)
  const program = new Program({
    ...{ name, binary, ready, clock: systemClock },
    args: [...own(folder), '--web.listen-address=127.0.0.1:0', ...args],
  })
  const remove = async (): Promise<void> => {
    await program.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await program.start()
    // The line that names the address may come after the one that says it is ready.
    const address = await until(
      () => program.log.map(line => /Listening on".* address=(\S+)/.exec(line)?.[1]).find(one => one !== undefined),
      `${name} says where it listens: ${program.log.join(' | ')}`,
    )
    return { url: `http://${address}`, log: program.log, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

/** One sample of an answer of Prometheus. */
export interface Sampled {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What Prometheus answers to a query, now. */
export async function ask(prometheus: Watching, query: string): Promise<Sampled[]> {
  const answer = await fetch(`${prometheus.url}/api/v1/query?query=${encodeURIComponent(query)}`)
  const { data, error } = (await answer.json()) as {
    error?: string
    data?: { result: { metric: Record<string, string>; value: [number, string] }[] }
  }
  if (data === undefined) throw new Error(`${query}: ${error ?? answer.status}`)
  return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}

/** An alert as Alertmanager tells it a receiver. */
export interface Told {
  /** As the URL named it. */
  readonly receiver: string
  readonly status: 'firing' | 'resolved'
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** Takes what Alertmanager sends, by the last part of the URL. */
export async function startReceiver(take: (told: Told) => void): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const receiver = request.url?.split('/').at(-1) ?? ''
    let text = ''
    request.setEncoding('utf8')
    request.on('data', chunk => {
      text += chunk
    })
    request.on('end', () => {
      const { alerts } = JSON.parse(text) as { alerts: Omit<Told, 'receiver'>[] }
      for (const alert of alerts) take({ ...alert, receiver })
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
