// LocalGlobusConfiguration: what a stand-in for Globus serves, and how it behaves.

import Crypto
import FoundationEssentials

/// What a stand-in for Globus consists of. Ports that are 0 mean a free one.
public struct LocalGlobusConfiguration: Sendable {
  /// A folder of this machine that is served as a collection.
  public struct Collection: Sendable {
    /// The two kinds of Globus Connect Server v5 collections, and Connect Personal's.
    public enum Kind: String, Sendable, CaseIterable, Decodable {
      /// Access as a local account: needs `data_access` unless it is high assurance.
      case mapped
      /// Shared by a user: `data_access` does not exist for it.
      case guest
      /// A personal computer: has no HTTPS server, and so no scopes of its own.
      case connectPersonal = "connect_personal"
    }

    /// UUID, lower case.
    public var id: String
    public var directory: String
    public var displayName: String
    public var kind: Kind = .mapped
    public var highAssurance = false
    /// Port of the collection's HTTPS server.
    public var port: UInt16 = 0
    /// What Transfer says the collection's HTTPS server is, in place of the stand-in's own.
    public var httpsServer: String?

    public init(id: String, directory: String, displayName: String) {
      self.id = id
      self.directory = directory
      self.displayName = displayName
    }
  }

  /// A person who can sign in.
  public struct Identity: Sendable, Equatable {
    /// UUID, lower case.
    public var id: String
    public var username, name, email, organization: String

    public init(id: String, username: String, name: String, email: String, organization: String) {
      self.id = id
      self.username = username
      self.name = name
      self.email = email
      self.organization = organization
    }

    /// researcher@example.org, who signs in unless told otherwise.
    public static let researcher = Identity(
      id: "5ca1ab1e-0000-4000-8000-000000000001", username: "researcher@example.org",
      name: "Alex Researcher", email: "researcher@example.org", organization: "Example University")
  }

  public var collections: [Collection]
  /// The one registered app: its UUID and secret, random unless set.
  public var clientID = randomUUID()
  public var clientSecret = Data(Random.bytes(32)).base64EncodedString()
  /// Addresses that the app may be called back at, compared exactly.
  public var redirectURIs: [String] = []
  /// Who can sign in; the first one does unless the consent form names another.
  public var users: [Identity] = [.researcher]
  /// How long each Transfer call takes at least; the real one needs 300 to 3,000.
  public var transferLatencyMilliseconds: UInt64 = 0
  /// What goes wrong from the start: the JSON document of docs/local.md.
  public var faults: [UInt8] = Array("{}".utf8)
  /// 48 hours, as with Globus.
  public var accessTokenLifetimeSeconds: Int64 = 172_800
  /// Random bytes of an access token; four are about five characters.
  public var accessTokenBytes = tokenBytes
  /// As Globus's own tokens are: 91 characters.
  static let tokenBytes = 66
  /// An existing folder for the authority's certificate and the servers' keys, best of mode 0700.
  public var workDirectory: String
  public var authPort: UInt16 = 0
  public var transferPort: UInt16 = 0
  /// How the collections' HTTPS servers behave.
  public var dataServerBehaviour = DataServerBehaviour()

  public init(collections: [Collection], workDirectory: String) {
    self.collections = collections
    self.workDirectory = workDirectory
  }
}

/// The quirks of a collection's HTTPS server, as observed; switched off it is a textbook one.
public struct DataServerBehaviour: Sendable {
  /// `Content-Range: bytes a-b/*`: the total is kept back.
  public var hidesTotal = true
  /// `Range: bytes=-n` is answered 416.
  public var refusesSuffixRanges = true
  /// A mapped collection without high assurance wants `data_access` beside `https` in the token.
  public var requiresDataAccess = true

  public init() {}
}

/// A stand-in that can't be set up; `message` says what to change.
public struct LocalGlobusError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public var description: String { message }
}
