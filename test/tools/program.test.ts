/** A program beside us: what it says is heard, however much it says after that. */
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/scheduler/clock.ts'
import { Program } from '../../src/tools/program.ts'

const MINUTE = 60_000

/** Says a word on SIGHUP, and a thousand lines of something else in the same breath; ends on SIGUSR2. */
const TALKER = `
const more = 'Publish Violation\\n'.repeat(1000)
process.on('SIGHUP', () => process.stderr.write('Reloaded\\n' + more))
process.on('SIGUSR2', () => process.exit(3))
setInterval(() => undefined, 1000)
process.stderr.write('ready\\n')
`

let program: Program | undefined
afterEach(() => program?.stop('SIGKILL'))

async function start(): Promise<Program> {
  program = new Program({
    ...{ name: 'talker', binary: process.execPath, args: ['-e', TALKER] },
    ...{ ready: /^ready/, clock: systemClock },
  })
  await program.start()
  return program
}

describe('a program', () => {
  it('is heard though a thousand lines follow at once', async () => {
    const talker = await start()
    const said = talker.says(/^Reloaded/, MINUTE, 'not reloaded')
    talker.signal('SIGHUP')
    await expect(said).resolves.toBe('Reloaded')
  })

  it('that ends first is told with its last lines', async () => {
    const talker = await start()
    const said = talker.says(/^Reloaded/, MINUTE, 'not reloaded')
    talker.signal('SIGUSR2')
    await expect(said).rejects.toThrow('not reloaded: ready')
  })
})
