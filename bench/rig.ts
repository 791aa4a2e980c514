/** What every measurement runs against: one fabric, one NATS server, one temporary folder. */
import { writeFileSync } from 'node:fs'
import { makeCertificate } from '../src/simulators/server.ts'
import { Broker } from './broker.ts'
import { Daemon, type DaemonOptions, FROM_SOURCE } from './daemon.ts'
import type { Load, SourceHears, SourceSays } from './messages.ts'
import { Partner, type Scratch } from './scratch.ts'

export class Rig {
  readonly scratch: Scratch
  readonly broker: Broker
  readonly fabric: string
  readonly certificateFile: string
  readonly source: Partner<SourceSays, SourceHears>
  #streams = 0

  private constructor(
    scratch: Scratch,
    broker: Broker,
    source: Partner<SourceSays, SourceHears>,
    certificateFile: string,
    fabric: string,
  ) {
    this.scratch = scratch
    this.broker = broker
    this.source = source
    this.certificateFile = certificateFile
    this.fabric = fabric
  }

  static async start(scratch: Scratch, natsVersion: string | undefined): Promise<Rig> {
    const { key, cert } = await makeCertificate()
    const [keyFile, certificateFile] = [scratch.path('key'), scratch.path('certificate')]
    writeFileSync(keyFile, key, { mode: 0o600 })
    writeFileSync(certificateFile, cert)
    const broker = await Broker.start(scratch, natsVersion)
    const source = new Partner<SourceSays, SourceHears>(scratch, 'source.ts', [keyFile, certificateFile])
    const { url } = await source.next('listening')
    return new Rig(scratch, broker, source, certificateFile, url)
  }

  /** A name for a new stream. */
  stream(name: string): string {
    this.#streams++
    return `${name}${this.#streams}`
  }

  /** Has the pushes spelt out, so that pushing costs the source little. Gives the mean size of a frame. */
  async prepare(load: Load): Promise<number> {
    this.source.tell({ ask: 'prepare', ...load })
    return (await this.source.next('prepared')).frameBytes
  }

  /** Pushes what was prepared; resolves with when it began, wall ms. */
  async push(): Promise<number> {
    this.source.tell({ ask: 'push' })
    return (await this.source.next('started')).atMs
  }

  daemon(stream: string, classes: readonly string[], more: Partial<DaemonOptions> = {}): Promise<Daemon> {
    const { scratch, fabric, certificateFile, broker } = this
    const options = { scratch, fabric, certificateFile, nats: broker.url, stream, classes, entry: FROM_SOURCE }
    return Daemon.start({ ...options, ...more })
  }

  async close(): Promise<void> {
    await this.source.end()
    await this.broker.close()
  }
}
