/** `opswire version`. */
import { readFileSync } from 'node:fs'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT } from './io.ts'

/** The version of package.json. Works from the sources and from the emitted `dist/` alike: both are one folder deep. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = JSON.parse(text) as { version?: unknown }
  return typeof version === 'string' ? version : 'unknown'
}

export async function run(args: string[], io: CliIo): Promise<number> {
  readArguments('version', args)
  io.stdout.write(`opswire ${packageVersion()} (Node ${process.version}, ${process.platform} ${process.arch})\n`)
  return EXIT.ok
}
