"""RESO Web API answers (OData JSON) and their cousins: documents in, listings and photos out."""
