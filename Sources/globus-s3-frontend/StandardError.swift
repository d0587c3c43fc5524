// What the command says on stderr: whole lines, each in one write.

import Glibc

/// Writes `line` and its end; control bytes become spaces. A stderr that is closed is no error.
func writeErrorLine(_ line: String) {
  let bytes = line.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 } + [0x0a]
  _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
