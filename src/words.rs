//! Enums whose variants are words of an API: what is written to a cluster is the variant's name, and all can be listed, so that
//! docs/errors.md can be held to them.

/// An enum with `ALL` of its variants, and `as_str` with a variant's name.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $word:ident,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$doc])* $word,)+
        }

        impl $name {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$word,)+];

            /// The word as it stands in the cluster.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }
    };
}
pub(crate) use words;
