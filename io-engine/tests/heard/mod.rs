//! What the engine says through `tracing`.

use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span;

/// The messages of the engine, and nothing else of `tracing`.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Message>>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) is_warning: bool,
    fields: Vec<(String, String)>,
}

impl Message {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }
}

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields
            .push((field.name().to_owned(), format!("{value:?}")));
    }
}

impl tracing::Subscriber for Heard {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("io_engine")
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut message = Message {
            is_warning: *event.metadata().level() <= tracing::Level::WARN,
            ..Message::default()
        };
        event.record(&mut message);
        self.0.lock().unwrap().push(message);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// What the engine says on this thread meanwhile.
pub(crate) fn heard_while(body: impl FnOnce()) -> Vec<Message> {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), body);
    let messages = heard.0.lock().unwrap();
    messages.clone()
}
