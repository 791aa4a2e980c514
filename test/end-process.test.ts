/** The end of a process that something holds on to. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'

const MODULE = join(import.meta.dirname, '..', 'src', 'end-process.ts')

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'opswire-end-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Exit code and output of a process that runs `program`, with such options of Node. */
function ran(program: string, options: readonly string[] = []): Promise<{ code: unknown; stdout: string }> {
  return new Promise(resolve => {
    const text = `
      import { readFile } from 'node:fs'
      import { Worker } from 'node:worker_threads'
      import { endProcess } from ${JSON.stringify(MODULE)}
      process.on('exit', code => console.log('listener heard', code))
      ${program}`
    execFile(
      process.execPath,
      [...options, '--input-type=module', '--eval', text],
      { timeout: 30_000 },
      (error, stdout) => {
        resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout })
      },
    )
  })
}

it('is not held up by a thread of the pool that waits in a read', async () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  // Whoever holds both ends waits for nobody, and says nothing.
  const both = await open(pipe, 'r+')
  try {
    const result = await ran(`
      readFile(${JSON.stringify(pipe)}, () => undefined)
      setTimeout(() => endProcess(7), 200)`)
    expect(result).toEqual({ code: 7, stdout: 'listener heard 7\n' })
  } finally {
    await both.close()
  }
})

it('is not held up by a worker that does not listen', async () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const both = await open(pipe, 'r+')
  try {
    const worker = `
      import { readFileSync } from 'node:fs'
      import { parentPort } from 'node:worker_threads'
      parentPort.postMessage('here')
      readFileSync(${JSON.stringify(pipe)})`
    const result = await ran(`
      new Worker(${JSON.stringify(worker)}, { eval: true }).on('message', () => endProcess(75))`)
    expect(result).toEqual({ code: 75, stdout: 'listener heard 75\n' })
  } finally {
    await both.close()
  }
})

it('with nothing under way is no other', async () => {
  expect(await ran('endProcess(0)')).toEqual({ code: 0, stdout: 'listener heard 0\n' })
  expect(await ran('endProcess(70)')).toEqual({ code: 70, stdout: 'listener heard 70\n' })
})

/** As in a Node that was built without node:ffi. */
const WITHOUT_CALLS = ['--permission', '--allow-fs-read=*', '--allow-worker']

it('where no C library can be called the code counts, of an end that is not forced', async () => {
  // systemd starts nothing again that ended with it.
  expect(await ran('endProcess(78)', WITHOUT_CALLS)).toEqual({ code: 78, stdout: 'listener heard 78\n' })
})

it('where no C library can be called a forced end is not held up', async () => {
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  const both = await open(pipe, 'r+')
  try {
    const program = `
      readFile(${JSON.stringify(pipe)}, () => undefined)
      setTimeout(() => endProcess(75, 'forced'), 200)`
    expect(await ran(program, WITHOUT_CALLS)).toEqual({ code: 'SIGKILL', stdout: 'listener heard 75\n' })
  } finally {
    await both.close()
  }
})
