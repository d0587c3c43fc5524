import FoundationEssentials
import Glibc

/// A folder that is removed with the last reference to it.
final class TemporaryFolder {
  let path: String

  init() {
    var template = Array("/tmp/local-globus-tests-XXXXXX".utf8CString)
    precondition(mkdtemp(&template) != nil)
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String, _ contents: String = "") throws {
    try Data(contents.utf8).write(to: URL(filePath: path + "/" + name))
  }

  func folder(_ name: String) { precondition(mkdir(path + "/" + name, 0o755) == 0) }

  func link(_ name: String, to target: String) {
    precondition(symlink(target, path + "/" + name) == 0)
  }
}
