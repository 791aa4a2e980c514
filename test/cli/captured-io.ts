/** A process for one command, that keeps what was written. */
import { Writable } from 'node:stream'
import type { CliIo } from '../../src/cli/io.ts'

export interface Captured {
  readonly io: CliIo
  out(): string
  err(): string
}

export function captured(over: Partial<CliIo> = {}): Captured {
  const texts = { out: '', err: '' }
  const into = (name: 'out' | 'err') =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        texts[name] += chunk.toString()
        done()
      },
    })
  return {
    io: { stdout: into('out'), stderr: into('err'), env: {}, isTty: false, columns: 100, ...over },
    out: () => texts.out,
    err: () => texts.err,
  }
}
