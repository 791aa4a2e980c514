/**
 * Writes spelt out in one piece of memory, which goes to another thread without being copied: hundreds of rows as objects
 * would cost more to hand over than to insert. Both ends are this file.
 */

export type Value = number | string | Uint8Array | null

/** A tape on its way. `bytes` belongs to whoever has it. */
export interface Recorded {
  readonly statements: readonly string[]
  readonly bytes: ArrayBuffer
  readonly length: number
}

const NULL = 0
const NUMBER = 1
const TEXT = 2
const BYTES = 3
/** The text that this value of this statement was the last time. */
const SAME = 4

const FIRST_BYTES = 64 * 1024
/** A larger piece of memory is not kept for the next tape. */
const KEPT_BYTES = 4 * 1024 * 1024
/** A statement in which each text stands like this takes it as its UTF-8 bytes as well. */
const AS_TEXT = 'CAST(? AS TEXT)'
/** From this length on a text stays bytes: making a string of them, to be made bytes again, would cost more. */
const LONG_BYTES = 256
/** A UTF-16 unit in UTF-8, at most. */
const UTF8_BYTES = 3

export class Tape {
  #buffer = Buffer.alloc(0)
  #at = 0
  readonly #numbers = new Map<string, number>()
  /** By statement: its texts, as they were last. */
  readonly #last: (string | undefined)[][] = []

  /** Nothing was added. */
  get empty(): boolean {
    return this.#numbers.size === 0
  }

  add(statement: string, values: readonly Value[]): void {
    let number = this.#numbers.get(statement)
    if (number === undefined) {
      number = this.#numbers.size
      this.#numbers.set(statement, number)
      this.#last[number] = []
    }
    const last = this.#last[number] ?? []
    this.#room(4)
    this.#at = this.#buffer.writeUInt16LE(number, this.#at)
    this.#at = this.#buffer.writeUInt16LE(values.length, this.#at)
    for (let index = 0; index < values.length; index++) {
      const value = values[index] ?? null
      if (typeof value === 'string') {
        if (last[index] === value) this.#tag(SAME, 0)
        else {
          last[index] = value
          this.#text(value)
        }
      } else if (typeof value === 'number') {
        this.#tag(NUMBER, 8)
        this.#at = this.#buffer.writeDoubleLE(value, this.#at)
      } else if (value === null) this.#tag(NULL, 0)
      else {
        this.#tag(BYTES, 4 + value.length)
        this.#at = this.#buffer.writeUInt32LE(value.length, this.#at)
        this.#buffer.set(value, this.#at)
        this.#at += value.length
      }
    }
  }

  /** Everything added, to be sent away; the tape is empty then. */
  take(): Recorded {
    const recorded = { statements: [...this.#numbers.keys()], bytes: this.#buffer.buffer, length: this.#at }
    this.#buffer = Buffer.alloc(0)
    this.clear()
    return recorded
  }

  /** Takes memory that came back into use again. */
  reuse(bytes: ArrayBuffer): void {
    if (bytes.byteLength > this.#buffer.length && bytes.byteLength <= KEPT_BYTES && this.empty) {
      this.#buffer = Buffer.from(bytes)
    }
  }

  /** Forgets what was added. */
  clear(): void {
    this.#at = 0
    this.#numbers.clear()
    this.#last.length = 0
  }

  #tag(tag: number, more: number): void {
    this.#room(1 + more)
    this.#buffer[this.#at++] = tag
  }

  #text(value: string): void {
    this.#tag(TEXT, 4 + UTF8_BYTES * value.length)
    const length = this.#buffer.write(value, this.#at + 4)
    this.#buffer.writeUInt32LE(length, this.#at)
    this.#at += 4 + length
  }

  #room(bytes: number): void {
    const least = this.#at + bytes
    if (least <= this.#buffer.length) return
    // Memory of its own, not a part of Node's pool: it is going to leave this thread.
    const larger = Buffer.from(new ArrayBuffer(Math.max(FIRST_BYTES, 2 ** Math.ceil(Math.log2(least)))))
    this.#buffer.copy(larger, 0, 0, this.#at)
    this.#buffer = larger
  }
}

/**
 * Hands each write to `run`, in order. Bytes are views of the tape's memory, good until it goes back. A long text is bytes,
 * too, where the statement casts its texts.
 */
export function play(recorded: Recorded, run: (statement: string, values: Value[]) => void): void {
  const buffer = Buffer.from(recorded.bytes, 0, recorded.length)
  const last: Value[][] = recorded.statements.map(() => [])
  const casts = recorded.statements.map(statement => statement.includes(AS_TEXT))
  let at = 0
  const piece = (): Buffer => {
    const end = at + 4 + buffer.readUInt32LE(at)
    const bytes = buffer.subarray(at + 4, end)
    at = end
    return bytes
  }
  while (at < buffer.length) {
    const number = buffer.readUInt16LE(at)
    const count = buffer.readUInt16LE(at + 2)
    at += 4
    const statement = recorded.statements[number]
    const texts = last[number]
    if (statement === undefined || texts === undefined) throw new RangeError('a tape that can not be read')
    const values: Value[] = []
    for (let index = 0; index < count; index++) {
      const tag = buffer[at++]
      if (tag === SAME) values.push(texts[index] ?? '')
      else if (tag === TEXT) {
        const bytes = piece()
        const text = casts[number] === true && bytes.length >= LONG_BYTES ? bytes : bytes.toString('utf8')
        texts[index] = text
        values.push(text)
      } else if (tag === NUMBER) {
        values.push(buffer.readDoubleLE(at))
        at += 8
      } else values.push(tag === BYTES ? piece() : null)
    }
    run(statement, values)
  }
}
