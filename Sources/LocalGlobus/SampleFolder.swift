// SampleFolder: a few files to try the stand-in with, when there is no folder of one's own.

import FoundationEssentials

public enum SampleFolder {
  /// Fills the folder, which is made if it is missing. Throws what the file system says.
  public static func write(to directory: String) throws {
    for (name, contents) in files {
      let path = directory + "/" + name
      let folder = path[..<(path.lastIndex(of: "/") ?? path.endIndex)]
      try FileManager.default.createDirectory(
        atPath: String(folder), withIntermediateDirectories: true)
      try Data(contents.utf8).write(to: URL(filePath: path))
    }
  }

  private static let files = [
    "example.txt": "Hello from a Globus collection.\n",
    "measurements.csv": measurements,
    "results/run-1/summary.json": #"{"run": 1, "mean_celsius": 14.5, "samples": 1000}"# + "\n",
    "results/run-2/summary.json": #"{"run": 2, "mean_celsius": 14.7, "samples": 1000}"# + "\n",
    "notes/été 2026.txt": "A name with a blank and an accent.\n",
  ]

  /// A thousand rows, so that a range of them makes sense.
  private static var measurements: String {
    let rows = (0..<1000).map { minute in
      let (tenths, hour) = (100 + minute * 7919 % 90, minute / 60)
      return "\(hour):\(minute % 60 < 10 ? "0" : "")\(minute % 60),\(tenths / 10).\(tenths % 10)"
    }
    return (["time,celsius"] + rows).joined(separator: "\n") + "\n"
  }
}
