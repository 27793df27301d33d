//! Names for the ids of what telephony owns.

use callfairy_core::Id;

macro_rules! ids {
    ($($kind:ident $id:ident;)+) => {$(
        #[derive(Debug)]
        pub enum $kind {}
        pub type $id = Id<$kind>;
    )+};
}

ids! {
    Assistant AssistantId;
    Attempt AttemptId;
    Call CallId;
    CallEvent CallEventId;
    Campaign CampaignId;
    Contact ContactId;
    Import ImportId;
}
