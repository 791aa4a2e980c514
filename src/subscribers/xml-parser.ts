/** The XML parser, loaded when the first XML comes: few sources ever send any, and it is 4 MiB. */
import { createRequire } from 'node:module'
import type { X2jOptions, XMLParser } from 'fast-xml-parser'

/** As `parser.parse` of `new XMLParser(options)`. `validate`: throw for what is not well-formed. */
export function xmlParser(options: X2jOptions): (text: string, validate?: boolean) => unknown {
  let parser: XMLParser | undefined
  return (text, validate = false) => {
    parser ??= new (load().XMLParser)(options)
    return parser.parse(text, validate)
  }
}

/** In the midst of a decoder, which does not wait: an `import()` would make all of it wait. */
function load(): typeof import('fast-xml-parser') {
  return createRequire(import.meta.url)('fast-xml-parser')
}
