//! Parts that pages are made of. They know neither `api` nor pages: what they show comes in as properties.

pub mod action;
pub mod allowed;
pub mod area;
pub mod backend_facts;
pub mod badge;
pub mod banner;
pub mod breakers;
pub mod chart;
pub mod code_block;
pub mod copy_button;
pub mod disclosure;
pub mod fault;
pub mod field;
pub mod focus;
pub mod form;
pub mod icon;
pub mod listing;
pub mod page;
pub mod reentry;
pub mod refresh;
pub mod rows;
pub mod shown_key;
pub mod theme_toggle;
pub mod timestamp;
pub mod toast;
