/** Calls into C libraries by node:ffi, for the little that Node has no word for. */

/** node:ffi; throws where this Node has none. It says that it is experimental when it is loaded: true, but nothing that an operator can act on. */
export function nativeCalls(): typeof import('node:ffi') {
  const { emitWarning } = process
  process.emitWarning = () => undefined
  try {
    return process.getBuiltinModule('node:ffi')
  } finally {
    process.emitWarning = emitWarning
  }
}
