// DiskTests: the ballast, the low-water mark and the file systems where no record is kept, on a
// machine that says what the test wants.

import Foundation
import Synchronization
import Testing

@testable import Audit

/// Free bytes and a clock that a test sets.
private final class Dials: Sendable {
  let free = Atomic<Int64>(.max)
  let wall = Atomic<Int64>(exampleTime)

  var machine: Machine {
    var machine = Machine()
    machine.freeBytes = { _ in self.free.load(ordering: .relaxed) }
    machine.wallMicroseconds = { self.wall.load(ordering: .relaxed) }
    return machine
  }
}

/// Waits for what the writer thread will bring about.
private func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
  for _ in 0..<3_000 {
    if try condition() { return true }
    usleep(10_000)
  }
  return false
}

@Suite struct DiskTests {
  private let mebibyte: Int64 = 1_048_576

  private func options(_ folder: Folder, _ dials: Dials) -> AuditLog.Options {
    var options = AuditLog.Options(databasePath: folder.database)
    options.ballastBytes = mebibyte
    options.lowWaterBytes = 8 * mebibyte
    options.machine = dials.machine
    return options
  }

  @Test func theBallastIsReservedAndPrivate() throws {
    let folder = try Folder()
    let log = try folder.open()
    var status = stat()
    #expect(stat(folder.database + ".ballast", &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    #expect(Int(status.st_blocks) * 512 >= 65_536)
    log.close()
  }

  @Test func theBallastGoesWhenTheDiskIsFullAndComesBack() throws {
    let folder = try Folder()
    let dials = Dials()
    let ballast = Ballast(options(folder, dials))
    func exists() -> Bool { access(folder.database + ".ballast", F_OK) == 0 }
    #expect(ballast.look() == .ample && exists())
    // Low below the mark, and until a quarter above it.
    for (free, state) in [(8, .ample), (7, .low), (9, .low), (10, .ample)]
      as [(Int64, Ballast.State)]
    {
      dials.free.store(free * mebibyte, ordering: .relaxed)
      #expect(ballast.look() == state && exists())
    }
    dials.free.store(Limits.fullDiskBytes - 1, ordering: .relaxed)
    #expect(ballast.look() == .full && !exists())
    #expect(!ballast.giveBack())
    dials.free.store(ballast.bytesNeeded - 1, ordering: .relaxed)
    #expect(ballast.look() == .full && !exists())
    dials.free.store(ballast.bytesNeeded, ordering: .relaxed)
    #expect(ballast.look() == .ample && exists())
    // SQLite said so, whatever the disk says.
    #expect(ballast.giveBack() && ballast.state == .full && !exists())
  }

  @Test func aDiskWithoutRoomForTheBallastCountsAsFull() throws {
    let folder = try Folder()
    try FileManager.default.createDirectory(
      atPath: folder.database + ".ballast", withIntermediateDirectories: false)
    #expect(Ballast(options(folder, Dials())).state == .full)
  }

  @Test(arguments: AuditLog.OnFailure.allCases)
  func belowTheLowWaterMarkTheDeclaredPolicyApplies(policy: AuditLog.OnFailure) throws {
    let folder = try Folder()
    let dials = Dials()
    let log = try folder.open(onFailure: policy) {
      $0.lowWaterBytes = 8 * mebibyte
      $0.machine = dials.machine
    }
    var recorded = ["\(log.record())"]
    dials.free.store(2 * mebibyte, ordering: .relaxed)
    #expect(eventually { log.problems == ["the audit's disk is nearly full"] })
    let next = log.newRequest(nowMicroseconds: exampleTime)
    let ticket = log.begin(exampleIntent(next))
    switch policy {
    case .refuse: #expect(ticket == nil)
    case .continue:  // there is room yet: what can be recorded is
      log.complete(try #require(ticket), exampleCompletion())
      recorded.append("\(next)")
    }
    dials.free.store(0, ordering: .relaxed)
    #expect(eventually { log.problems.contains("the audit's disk is full") })
    let served = log.begin(exampleIntent(log.newRequest(nowMicroseconds: exampleTime)))
    #expect((served == nil) == (policy == .refuse))
    if let served { log.complete(served, exampleCompletion()) }
    dials.free.store(.max, ordering: .relaxed)
    #expect(eventually { log.isHealthy })
    recorded.append("\(log.record())")
    log.close()
    #expect(try Set(folder.outcomes().keys) == Set(recorded))
    let gap = try folder.rows("SELECT total(records) AS n, max(reason) AS reason FROM gap").first
    #expect(gap?["n"] == (policy == .refuse ? "2.0" : "1.0"))
    #expect(gap?["reason"]?.hasSuffix("too little space on the audit's disk") == true)
    #expect(log.unrecordedRequests == (policy == .refuse ? 2 : 1))
  }

  @Test func aWriterThatHangsIsNoticed() {
    let handoff = Handoff(slots: 1)
    #expect(handoff.problems(nowMilliseconds: 0).isEmpty)
    handoff.lastRound.store(1_000, ordering: .relaxed)
    #expect(handoff.problems(nowMilliseconds: 1_000 + Limits.stalledMilliseconds).isEmpty)
    let problems = handoff.problems(nowMilliseconds: 1_001 + Limits.stalledMilliseconds)
    #expect(problems.lines == ["the audit's disk doesn't answer"])
  }

  @Test func onlyAnEmptySpoolIsNotReady() throws {
    let folder = try Folder()
    let log = try folder.open(slots: 8)
    func begin(_ result: AuthenticationResult) -> AuditLog.Ticket? {
      var intent = exampleIntent(log.newRequest(nowMicroseconds: exampleTime))
      intent.authResult = result
      return log.begin(intent)
    }
    // Strangers are turned away before the last slots are taken: that makes nobody unready.
    while begin(.none) != nil {}
    for _ in 0..<10 {
      #expect(begin(.none) == nil && log.isHealthy)
      usleep(10_000)
    }
    while begin(.verified) != nil {}
    #expect(
      eventually {
        _ = begin(.verified)
        return log.problems == ["requests find no room in the audit spool"]
      })
    #expect(eventually { log.isHealthy })
    log.close()
  }

  @Test func aShortageLetsTheRetentionLookAtOnce() throws {
    let folder = try Folder()
    let dials = Dials()
    let log = try folder.open {
      $0.machine = dials.machine
      $0.retentionDays = 1
    }
    log.record()
    #expect(log.flush())
    // The hourly look of the start is over: nothing was old enough then.
    #expect(eventually { log.flush() })
    dials.wall.store(exampleTime + 2 * 86_400_000_000, ordering: .relaxed)
    dials.free.store(2 * mebibyte, ordering: .relaxed)
    #expect(try eventually { try folder.outcomes().isEmpty })
    log.close()
  }

  @Test(arguments: ["nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.sshfs", "fuseblk", "afs"])
  func refusesFileSystemsOfOtherMachines(type: String) throws {
    let folder = try Folder()
    #expect {
      try folder.open { $0.machine.fileSystemType = { _ in type } }
    } throws: {
      let error = $0 as? AuditError
      return error?.code == .unusable && error!.description.contains("can't be kept on \(type)")
        && error!.description.contains("--audit-db")
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test(arguments: ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fusectl", nil])
  func takesLocalFileSystems(type: String?) throws {
    let folder = try Folder()
    try folder.open { $0.machine.fileSystemType = { _ in type } }.close()
  }

  /// Lines as in proc_pid_mountinfo(5).
  private let mounts = """
    22 1 0:21 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
    23 22 0:22 / /proc rw - proc proc rw
    24 22 0:40 / /srv/data rw,relatime shared:2 master:3 - nfs4 server:/export rw,vers=4.2
    25 24 0:41 / /srv/data/local rw - xfs /dev/vdb rw
    26 22 0:42 / /srv/with\\040blank rw - fuse.sshfs host: rw
    27 22 0:43 / /srv/twice rw - ext4 /dev/vdc rw
    28 22 0:44 / /srv/twice rw - cifs //host/share rw
    nonsense
    """

  @Test(arguments: [
    ("/", "ext4"), ("/srv", "ext4"), ("/srv/data", "nfs4"), ("/srv/data/a/b", "nfs4"),
    ("/srv/database", "ext4"), ("/srv/data/local/x", "xfs"), ("/srv/with blank", "fuse.sshfs"),
    ("/srv/twice/x", "cifs"),
  ])
  func findsTheFileSystemOfAPath(path: String, type: String) {
    #expect(Machine.fileSystemType(of: path, mounts: mounts) == type)
    #expect(Machine.fileSystemType(of: path, mounts: "") == nil)
  }

  @Test func asksTheKernel() throws {
    let machine = Machine()
    #expect(machine.fileSystemType("/proc") == "proc")
    #expect(machine.fileSystemType("/none/at/all") == nil)
    #expect(try #require(machine.freeBytes("/")) > 0)
    #expect(machine.freeBytes("/none/at/all") == nil)
  }
}
