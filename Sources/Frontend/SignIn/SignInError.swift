// SignInError: everything that can go wrong in a sign-in, in one table: status, code, words and the
// next step. Nothing of a request or of an upstream's answer is in the words.

struct SignInError: Error, Equatable, Sendable {
  let status: Int
  /// For programs and the audit.
  let code: String
  let title: String
  let message: String
  let nextStep: String
  /// Seconds, for a Retry-After.
  var retryAfter: Int?
  /// What the link to a new start says.
  var link = "Start again"
  /// What the link to a new start asks of Globus in place of what this sign-in asked.
  var requirements: SignInRequirements?
  /// Whether that link is for the whole collection.
  var leavesRootOut = false
  /// Whether the way on may be another collection.
  var asksForCollection = false

  static let noCollectionNamed = SignInError(
    status: 404, code: "NoSuchCollection", title: "Which collection?",
    message: "A sign-in is for a Globus collection, and the address names none.",
    nextStep: "Name the one that you want to open with S3 tools: its UUID is the bucket.",
    asksForCollection: true)

  static let noSuchCollection = SignInError(
    status: 404, code: "NoSuchCollection", title: "No such collection",
    message: "There is no Globus collection of that name, or you are not allowed to see it.",
    nextStep: "Compare the UUID with the one on the collection's page in the Globus web app, or "
      + "start again as the person who may see it.",
    asksForCollection: true)

  /// Transfer knows no such collection, as far as the app itself may know.
  static let notPublic = SignInError(
    status: 404, code: "NoSuchCollection", title: "No such collection",
    message: "Globus knows no collection of that name that everybody may see.",
    nextStep: "Compare the UUID with the one on the collection's page in the Globus web app. If "
      + "the collection is a private one, add &private to the address: you sign in first, and it is "
      + "looked up in your name.",
    link: "It is private: sign in and look it up in my name", asksForCollection: true)

  static let noHTTPSServer = SignInError(
    status: 409, code: "NoHTTPSServer", title: "This collection can't be read over HTTPS",
    message: "The collection has no HTTPS server, so its files can't be fetched one by one.",
    nextStep: "Collections on Globus Connect Personal never have one; for others, ask the "
      + "collection's administrator to enable HTTPS access.",
    asksForCollection: true)

  static let tooManyCollections = SignInError(
    status: 400, code: "TooManyCollections", title: "Too many collections",
    message: "One credential can't hold that many collections.",
    nextStep: "Ask for fewer; \(CredentialLimits.collections) at once is the most.",
    asksForCollection: true)

  /// `root=` is no folder's name.
  static let invalidRoot = SignInError(
    status: 400, code: "InvalidRoot", title: "This folder can't be a bucket",
    message: "The root folder is not the path of a folder in a collection.",
    nextStep:
      "Write it as /folder/subfolder: no empty segments, no . or .., no control characters, "
      + "at most \(CredentialLimits.rootFolderBytes) bytes.",
    link: "Open the whole collection", leavesRootOut: true)

  static let rootOfSeveral = SignInError(
    status: 400, code: "InvalidRoot", title: "A root folder is for one collection",
    message: "The address names several collections and a root folder.",
    nextStep: "Leave the root folder out, or get a credential for each collection.",
    link: "Open the whole collections", leavesRootOut: true)

  /// The root folder is not there, or is a file.
  static let noSuchFolder = SignInError(
    status: 404, code: "NoSuchFolder", title: "There is no such folder",
    message: "The collection has no folder of the name that the bucket was to show, or you are not "
      + "allowed to see it.",
    nextStep: "Compare the folder with the collection's listing in the Globus web app.",
    link: "Open the whole collection", leavesRootOut: true)

  /// The link asks Globus for what no error message of this service asks for.
  static let invalidLink = SignInError(
    status: 400, code: "InvalidSignInLink", title: "This link is not complete, or not from here",
    message: "What the link asks of Globus can't be understood.",
    nextStep: "Copy it as a whole from the error message, or start at the bucket's address "
      + "with ?auth.", link: "Start at the bucket's address")

  /// The flow does not fit the cookie.
  static let linkTooLong = SignInError(
    status: 400, code: "InvalidSignInLink", title: "This link is too long",
    message: "A browser can't hold what the link asks for.",
    nextStep: "Use a root folder with a shorter path.",
    link: "Open the whole collection", leavesRootOut: true)

  /// Globus is not content with how the person signed in.
  static func signInRequired(_ requirements: SignInRequirements) -> SignInError {
    var error = SignInError(
      status: 403, code: "SignInRequired", title: "Globus asks for another sign-in",
      message: "The collection wants you to sign in in a certain way, or again.",
      nextStep: "Go on at Globus, which says what is missing.", link: "Go on at Globus")
    error.requirements = requirements
    return error
  }

  static let noAccount = SignInError(
    status: 403, code: "NoAccount", title: "You have no account there",
    message: "The storage behind the collection has no account for you.",
    nextStep: "Ask the collection's administrator for one, or sign in as somebody else.")

  static let addressRefused = SignInError(
    status: 403, code: "AddressRefused", title: "This collection can't be reached from here",
    message: "Its server is at an address that this service does not connect to.",
    nextStep: "Tell whoever runs this service; the log names the address.", link: "Try again")

  static let methodNotAllowed = SignInError(
    status: 405, code: "MethodNotAllowed", title: "Only GET signs in",
    message: "A sign-in is a GET request.", nextStep: "Open the address in a browser.",
    link: "Sign in")

  /// The callback is not one that Auth could have sent.
  static let malformedCallback = SignInError(
    status: 400, code: "InvalidCallback", title: "This is no answer of Globus",
    message: "The address lacks what Globus sends at the end of a sign-in.", nextStep: again)

  /// No flow of this browser has that state, or not any more.
  static let unknownFlow = SignInError(
    status: 400, code: "ExpiredSignIn", title: "This sign-in is not open any more",
    message: "It took longer than ten minutes, is already finished, or was begun in another "
      + "browser.",
    nextStep: again)

  static let accessDenied = SignInError(
    status: 403, code: "AccessDenied", title: "You did not grant access",
    message: "Without your consent no credential can be made.",
    nextStep: "If that was not what you wanted, start again and choose Allow.")

  /// Auth sent the browser back with another error.
  static let refusedByGlobus = SignInError(
    status: 400, code: "SignInRefused", title: "Globus refused this sign-in",
    message: "Globus ended the sign-in with an error.", nextStep: again)

  static let codeRefused = SignInError(
    status: 400, code: "InvalidGrant", title: "Globus does not accept this sign-in any more",
    message: "The sign-in was used already or has expired.", nextStep: again)

  /// Signed in, but without a right that requests need.
  static let consentIncomplete = SignInError(
    status: 403, code: "ConsentIncomplete", title: "Globus granted less than is needed",
    message: "A right that reading the collection needs was not granted.",
    nextStep: "Start again; on Globus's consent page, allow everything that is listed.")

  /// Auth does not accept this service's own client id and secret.
  static let clientRefused = SignInError(
    status: 503, code: "ClientRefused", title: "This service can't sign anybody in now",
    message: "Globus does not accept this service's client id and secret.",
    nextStep: "Tell whoever runs this service.", link: "Try again")

  static let unavailable = SignInError(
    status: 503, code: "ServiceUnavailable", title: "Globus can't be reached",
    message: "Globus does not answer as it should at the moment.",
    nextStep: "Try again in a minute.", link: "Try again")

  private static let again = "Start the sign-in again and finish it in the same browser."

  /// `unavailable`, with the seconds that Globus asks to wait, if it does.
  static func slowDown(_ seconds: Int?) -> SignInError {
    var error = unavailable
    error.retryAfter = seconds
    return error
  }
}

extension SignInError {
  init(_ error: AuthError) {
    self =
      switch error {
      case .invalidGrant: .codeRefused
      case .invalidClient: .clientRefused
      case .unknownScope: .refusedByGlobus
      case .slowDown(let seconds): .slowDown(seconds)
      case .unavailable: .unavailable
      }
  }
}
