/** The config file, and the files beside it, of a daemon that follows the log of one simulated fabric into NATS. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certificate } from './apic-source.ts'

export interface FabricFileOptions {
  readonly directory: string
  readonly controller: string
  readonly natsUrl: string
  /** Further lines at the top. */
  readonly top?: string
}

/** Writes them and gives the path of the config. */
export function writeFabricFile({ directory, controller, natsUrl, top = '' }: FabricFileOptions): string {
  writeFileSync(join(directory, 'ca.pem'), certificate.cert)
  writeFileSync(join(directory, 'password'), 'ins3965!\n')
  const file = join(directory, 'opswire.yaml')
  writeFileSync(
    file,
    `
state_dir: ${directory}/state
http: { listen: "127.0.0.1:0" }
${top}
nats: { servers: ["${natsUrl}"], stream: { max_bytes: 1GiB } }
sources:
  - name: fabric-a
    kind: apic
    controllers: ["${controller}"]
    username: admin
    password_file: ${directory}/password
    tls: { ca_file: ${directory}/ca.pem }
    subscriptions: [{ class: eventRecord }]
`,
  )
  return file
}
