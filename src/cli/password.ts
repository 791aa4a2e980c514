/** A person's password: from a file, typed without an echo, or from a pipe. Never from the command line. */
import { readFile } from 'node:fs/promises'
import { Fatal } from '../errors.ts'
import { type CliInput, type CliIo, UsageError } from './io.ts'

interface Asked {
  readonly io: CliIo
  readonly signal: AbortSignal
}

/** No password is longer; guards against a whole file in the pipe. */
const LONGEST = 4096

const ENTER = new Set(['\r', '\n', '\u0004'])
const ERASE = new Set(['\u007f', '\b'])
const INTERRUPT = '\u0003'
const ERASE_LINE = '\u0015'

/**
 * The password of `user`. Throws `Fatal('config')` for a file that can't be read, `UsageError` when there is nobody to ask,
 * and the signal's reason when it aborts meanwhile. What was typed or read never stands in an error.
 */
export async function passwordFor(user: string, file: string | undefined, { io, signal }: Asked): Promise<string> {
  const password = file === undefined ? await asked(user, io, signal) : await fromFile(file)
  if (password !== '') return password
  throw new UsageError(file === undefined ? 'no password was given' : `the file ${file} is empty`, 'query')
}

async function fromFile(file: string): Promise<string> {
  try {
    return lineOf(await readFile(file, 'utf8'))
  } catch (error) {
    throw new Fatal('config', `can't read the password file ${file}`, { cause: error })
  }
}

function asked(user: string, io: CliIo, signal: AbortSignal): Promise<string> {
  const { stdin } = io
  if (stdin === undefined)
    throw new UsageError(`nobody can be asked for the password: say --password-file FILE`, 'query')
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return fromPipe(stdin, signal)
  io.stderr.write(`Password of ${user}: `)
  return typed(stdin, signal).finally(() => io.stderr.write('\n'))
}

/** The first line. */
async function fromPipe(stdin: CliInput, signal: AbortSignal): Promise<string> {
  let text = ''
  const onAbort = (): void => void stdin.destroy(signal.reason as Error)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    stdin.setEncoding('utf8')
    for await (const chunk of stdin) {
      text += String(chunk)
      if (text.includes('\n') || text.length > LONGEST) break
    }
    return lineOf(text)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** Keys of a terminal in raw mode: nothing of them is shown, and Ctrl-C is a key. */
function typed(stdin: CliInput, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let password = ''
    const done = (end: () => void): void => {
      stdin.off('data', onData)
      stdin.off('end', onEnd)
      signal.removeEventListener('abort', onAbort)
      stdin.setRawMode?.(false)
      stdin.pause()
      end()
    }
    const onData = (chunk: Buffer | string): void => {
      for (const key of chunk.toString()) {
        if (ENTER.has(key) || key === INTERRUPT) {
          // Whoever thought better of it gave none.
          done(() => resolve(key === INTERRUPT ? '' : password))
          return
        }
        if (ERASE.has(key)) password = [...password].slice(0, -1).join('')
        else if (key === ERASE_LINE) password = ''
        else if (key >= ' ' && password.length < LONGEST) password += key
      }
    }
    const onEnd = (): void => done(() => resolve(password))
    const onAbort = (): void => done(() => reject(signal.reason))
    if (signal.aborted) return onAbort()
    stdin.setRawMode?.(true)
    stdin.on('data', onData)
    stdin.once('end', onEnd)
    signal.addEventListener('abort', onAbort, { once: true })
    stdin.resume()
  })
}

function lineOf(text: string): string {
  return /^[^\r\n]*/.exec(text.replace(/^\ufeff/, ''))?.[0] ?? ''
}
