/** `opswire config example | schema | show`. */
import { effective, showSettings } from '../config/effective.ts'
import { loadConfig } from '../config/load.ts'
import { configJsonSchema, spell } from '../config/outline.ts'
import { sampleConfig } from '../config/sample.ts'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT, UsageError } from './io.ts'

export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('config', args)
  if (given.word !== 'show') {
    for (const flag of ['config', 'json']) {
      if (given.has(flag)) throw new UsageError(`--${flag} belongs to config show`, 'config')
    }
    io.stdout.write(given.word === 'example' ? sampleConfig() : `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
    return EXIT.ok
  }
  const loaded = await loadConfig(given.needed('config'), io.env)
  const settings = effective(loaded)
  if (given.has('json')) {
    const rows = settings.map(({ path, value, origin }) => ({ path: spell(path), value: value ?? null, origin }))
    io.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
  } else io.stdout.write(showSettings(settings, loaded.file))
  return EXIT.ok
}
