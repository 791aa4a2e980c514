/**
 * `npm run model -- raas|vcd`: a seeded run of one source against its simulator, with everything that goes wrong at once,
 * counted against the simulator's own record. Exits with 1 when anything was lost, doubled, invented or attributed
 * wrongly. `npm test` lives through the same in short.
 */
import { modelOfRaas } from './model-raas.ts'
import { modelOfVcd } from './model-vcd.ts'

type Run = (args: readonly string[]) => Promise<boolean>

const MODELS: Readonly<Record<string, Run>> = { raas: modelOfRaas, vcd: modelOfVcd }

const [name = '', ...args] = process.argv.slice(2)
const run = Object.hasOwn(MODELS, name) ? MODELS[name] : undefined
if (run === undefined) {
  process.stderr.write(`npm run model -- ${Object.keys(MODELS).join('|')} [--help]\n`)
  process.exitCode = 64
} else if (!(await run(args))) process.exitCode = 1
