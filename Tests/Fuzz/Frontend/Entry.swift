// The Swift fuzz targets as one libFuzzer program: FUZZ_TARGET names the one to run. What must hold
// for any bytes stands at the head of each target's file; a trap anywhere is a finding as well.

import Glibc

private let target: @Sendable ([UInt8]) -> Void = {
  switch getenv("FUZZ_TARGET").map({ String(cString: $0) }) {
  case "percent": fuzzPercent
  case "query": fuzzQuery
  case "authorization": fuzzAuthorization
  case "credential": fuzzCredential
  case "json": fuzzJSON
  default: fatalError("FUZZ_TARGET: percent, query, authorization, credential or json")
  }
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  target(Array(UnsafeBufferPointer(start: bytes, count: count)))
  return 0
}

/// Ends the program, with the input as its last words to libFuzzer, unless `condition` is true.
func holds(
  _ condition: Bool, _ what: StaticString, file: StaticString = #fileID, line: UInt = #line
) {
  if !condition { fatalError("does not hold: \(what)", file: file, line: line) }
}
