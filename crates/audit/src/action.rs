//! What is recorded, and about what.

/// A closed set with the words that it is written as.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_meta])* $variant),+
        }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

words!(
    /// What was done, or refused.
    Action {
        // Accounts.
        SignIn = "sign_in",
        SignInRefused = "sign_in_refused",
        SignOut = "sign_out",
        /// A session was ended by its owner from elsewhere, or with all the others.
        SessionEnded = "session_ended",
        /// A refresh token was used again after its successor: its whole family is revoked.
        RefreshTokenReused = "refresh_token_reused",
        UserRegistered = "user_registered",
        EmailVerified = "email_verified",
        PasswordChanged = "password_changed",
        PasswordReset = "password_reset",
        TotpEnabled = "totp_enabled",
        TotpDisabled = "totp_disabled",
        RecoveryCodeUsed = "recovery_code_used",
        /// A way to sign in, such as Google's, was tied to the account.
        IdentityLinked = "identity_linked",
        UserCreated = "user_created",
        /// An invitation to take an account over was mailed again.
        UserInvited = "user_invited",
        InvitationAccepted = "invitation_accepted",
        UserChanged = "user_changed",
        UserActivated = "user_activated",
        UserDeactivated = "user_deactivated",
        UserErased = "user_erased",
        UsersImported = "users_imported",
        SuperadminMade = "superadmin_made",
        SuperadminEnded = "superadmin_ended",
        SigningKeyRotated = "signing_key_rotated",
        EmailDomainAllowed = "email_domain_allowed",
        EmailDomainRemoved = "email_domain_removed",
        // Access.
        /// Somebody may not do what they asked for. Requests alike within seconds are one entry, with their count.
        AccessRefused = "access_refused",
        PermissionGranted = "permission_granted",
        PermissionRevoked = "permission_revoked",
        AgentAssigned = "agent_assigned",
        /// An assignment ended because another one took its place.
        AgentReplaced = "agent_replaced",
        AgentRevoked = "agent_revoked",
        AgentPackageSet = "agent_package_set",
        // Organisations.
        OrganisationCreated = "organisation_created",
        OrganisationChanged = "organisation_changed",
        OrganisationErased = "organisation_erased",
        SettingsChanged = "settings_changed",
        MemberInvited = "member_invited",
        InvitationWithdrawn = "invitation_withdrawn",
        MemberAdded = "member_added",
        /// What the organisation calls a member.
        MemberChanged = "member_changed",
        MemberRemoved = "member_removed",
        ApiKeyCreated = "api_key_created",
        ApiKeyRevoked = "api_key_revoked",
        /// Once for each key and hour.
        ApiKeyUsed = "api_key_used",
        // Data.
        ContactsExported = "contacts_exported",
        ReportsExported = "reports_exported",
        ImportStarted = "import_started",
        ImportErrorsExported = "import_errors_exported",
        CampaignStarted = "campaign_started",
        CampaignCancelled = "campaign_cancelled",
        RecordingRead = "recording_read",
        TranscriptRead = "transcript_read",
        AuditExported = "audit_exported",
    }
);

words!(
    /// What has an id that an entry can be about.
    Subject {
        User = "user",
        Session = "session",
        SigningKey = "signing_key",
        Organisation = "organisation",
        ApiKey = "api_key",
        Invitation = "invitation",
        Assignment = "assignment",
        Import = "import",
        Campaign = "campaign",
        Call = "call",
    }
);
