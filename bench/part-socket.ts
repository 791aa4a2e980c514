/** The daemon's socket beside a bare one: frames in, as text. */
import { WebSocket } from 'ws'
import { systemClock } from '../src/scheduler/clock.ts'
import { ApicSocket } from '../src/subscribers/apic/socket.ts'
import { login, socketUrl, subscribe } from './bare-session.ts'
import type { Contest, Prepared } from './contest.ts'
import { tell } from './messages.ts'

const PING_MS = 15_000
const TIMEOUT_MS = 30_000

/** `subscribed` is told before each turn: then the source is to push `events` frames. */
export function socketContest(fabric: string, certificateFile: string, events: number): Contest {
  const turn = async (
    open: (url: string, onFrame: (text: string) => void) => Promise<() => void>,
  ): Promise<Prepared> => {
    const { promise: all, resolve } = Promise.withResolvers<void>()
    let begin = (): void => undefined
    let seen = 0
    let bytes = 0
    const token = await login(fabric)
    const close = await open(socketUrl(fabric, token), text => {
      if (seen === 0) begin()
      bytes += text.length
      if (++seen === events) resolve()
    })
    await subscribe(fabric, token, 'eventRecord')
    return {
      run: async beginNow => {
        begin = beginNow
        tell({ say: 'subscribed' })
        await all
      },
      end: () => {
        close()
        if (bytes < events * 100) throw new Error(`only ${bytes} bytes came`)
      },
    }
  }
  return {
    name: 'ws in',
    bareName: 'ws over TLS, text',
    events,
    ours: () =>
      turn(async (url, onFrame) => {
        const socket = await ApicSocket.open({
          url,
          tls: { ca_file: certificateFile, verify: true, fingerprint_sha256: null },
          clock: systemClock,
          timeoutMs: TIMEOUT_MS,
          pingMs: PING_MS,
          onFrame,
          onLost: error => {
            throw error
          },
          signal: new AbortController().signal,
        })
        return () => socket.close()
      }),
    bare: () =>
      turn(async (url, onFrame) => {
        const socket = new WebSocket(url, { perMessageDeflate: false })
        await new Promise((resolve, reject) => {
          socket.once('open', resolve)
          socket.once('error', reject)
        })
        socket.on('message', (data: Buffer) => onFrame(data.toString('utf8')))
        return () => socket.terminate()
      }),
  }
}
