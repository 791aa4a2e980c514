/** The stream's answers to publishes. */

export interface Stored {
  readonly outcome: 'ok' | 'duplicate'
  readonly stream: string
  /** Of the message in the stream. */
  readonly seq: number
}

export type Ack = Stored | { readonly outcome: 'error'; readonly code: number; readonly description: string }

/** A JetStream publish acknowledgement: `{"stream","seq","duplicate"?}` or `{"error":{"code","err_code","description"}}`. */
export function parseAck(data: Uint8Array): Ack | undefined {
  let body: unknown
  try {
    body = JSON.parse(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof body !== 'object' || body === null) return undefined
  const ack = body as { stream?: unknown; seq?: unknown; duplicate?: unknown; error?: unknown }
  if (typeof ack.error === 'object' && ack.error !== null) {
    const { err_code, code, description } = ack.error as { err_code?: unknown; code?: unknown; description?: unknown }
    return {
      outcome: 'error',
      code: Number(err_code ?? code ?? 0),
      description: String(description ?? 'no reason given'),
    }
  }
  if (typeof ack.stream !== 'string' || typeof ack.seq !== 'number') return undefined
  return { outcome: ack.duplicate === true ? 'duplicate' : 'ok', stream: ack.stream, seq: ack.seq }
}

/** `"seq"` as the last of all. A number of 15 digits is exact, and has no leading zero: there is no message 0. */
const PLAIN = /^([^\\]*"seq": ?)[1-9]\d{0,14}\}$/
const MOST_DIGITS = 15
const [ZERO, CLOSE] = [0x30, 0x7d]

/** Reads the answers on one connection. What nearly every message gets is known by its bytes, without making objects of JSON. */
export class AckReader {
  readonly #stream: string
  /** How this server begins the acknowledgement of a message that was stored, up to its number: versions and domains differ. */
  #begin: Uint8Array | undefined

  constructor(stream: string) {
    this.#stream = stream
  }

  /** As `parseAck`. */
  read(data: Uint8Array): Ack | undefined {
    const seq = this.#plainSeq(data)
    if (seq !== undefined) return { outcome: 'ok', stream: this.#stream, seq }
    const ack = parseAck(data)
    if (ack?.outcome === 'ok' && ack.stream === this.#stream) this.#learn(data)
    return ack
  }

  #learn(data: Uint8Array): void {
    const [, begin] = PLAIN.exec(Buffer.from(data).toString('latin1')) ?? []
    if (begin !== undefined) this.#begin = Buffer.from(begin, 'latin1')
  }

  /** The number, when it is the learned text with another number; undefined says nothing about it. */
  #plainSeq(data: Uint8Array): number | undefined {
    const begin = this.#begin
    if (begin === undefined) return undefined
    const digits = begin.length
    const last = data.length - 1
    if (last <= digits || last - digits > MOST_DIGITS || data[last] !== CLOSE || data[digits] === ZERO) return undefined
    for (let at = 0; at < digits; at++) if (data[at] !== begin[at]) return undefined
    let seq = 0
    for (let at = digits; at < last; at++) {
      const digit = (data[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9) return undefined
      seq = seq * 10 + digit
    }
    return seq
  }
}
