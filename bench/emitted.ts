/** The emitted JavaScript, as a package or an image holds it: built into a folder of the run. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { Scratch } from './scratch.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** Runs the build's own compiler settings; gives the path of `main.js`. */
export async function emit(scratch: Scratch): Promise<string> {
  const home = scratch.path('emitted')
  mkdirSync(home)
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc')
  await promisify(execFile)(compiler, ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(home, 'dist')])
  // The version, and `"type": "module"`.
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(home, 'node_modules'))
  return join(home, 'dist', 'main.js')
}
