/** Small configs that tests vary, and how to get at what is wrong with one. */
import { type Loaded, parseConfig } from '../../src/config/load.ts'
import { ConfigInvalid, type Finding } from '../../src/config/problems.ts'

export const VCD = `sources:
  - name: cloud
    kind: vcd
    url: https://vcd.example.net
    org: System
    api_token_file: /run/secrets/vcd
`

export const APIC = `sources:
  - name: fabric-a
    kind: apic
    controllers: [https://apic1.example.net]
    username: svc
    password_file: /run/secrets/apic
    subscriptions: [{ class: faultInst }]
`

export const RAAS = `sources:
  - name: salt
    kind: raas
    url: https://raas.example.net
    username: svc
    password_file: /run/secrets/raas
`

export function parse(text: string, env: Record<string, string> = {}): Promise<Loaded> {
  return parseConfig(text, 'test.yaml', env)
}

/** The problems that refuse a config; fails when it is taken. */
export async function problemsOf(loading: Promise<unknown>): Promise<readonly Finding[]> {
  try {
    await loading
  } catch (error) {
    if (error instanceof ConfigInvalid) return error.problems
    throw error
  }
  throw new Error('the config was taken')
}

/** Warnings without those about files that this machine does not have. */
export function warned(loaded: Loaded): string[] {
  return loaded.warnings
    .filter(warning => warning.code !== 'missing_file')
    .map(warning => `${warning.code} ${warning.path.join('.')}`)
}
